#!/bin/sh
# Builds saseo with the CUDA features, with NVIDIA's compiler taken from Python wheels.
#
# No GPU is needed or used. Takes about twenty minutes on two cores.
set -eu
target=${CARGO_TARGET_DIR:-target}
kit="$target/cuda-toolkit"
if [ ! -e "$kit/done" ]; then
    mkdir -p "$kit"
    # curand 10.4: newer ones no longer match the engine's bindings.
    python3 -m pip install --quiet --no-deps --target "$kit" \
        'nvidia-cuda-nvcc==13.0.*' 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cccl==13.0.*' \
        'nvidia-cublas==13.0.*' 'nvidia-cuda-nvrtc==13.0.*' 'nvidia-nvvm==13.0.*' \
        'nvidia-cuda-crt==13.0.*' 'nvidia-curand==10.4.*'
    root="$kit/nvidia/cu13"
    ln -sfn lib "$root/lib64"
    for library in "$root"/lib/*.so.*; do
        ln -sf "$(basename "$library")" "${library%%.so.*}.so"
    done
    touch "$kit/done"
fi
root=$(cd "$kit/nvidia/cu13" && pwd)
export CUDA_HOME="$root" CUDA_PATH="$root" CUDA_ROOT="$root" CUDA_TOOLKIT_ROOT_DIR="$root"
export CUDA_COMPUTE_CAP=90 CUDARC_CUDA_VERSION=13000
export NVCC_APPEND_FLAGS="-I$root/include -I$root/include/cccl"
export LIBRARY_PATH="$root/lib" PATH="$root/bin:$PATH"
export CARGO_TARGET_DIR="$target/cuda"
export RUSTFLAGS="-C target-cpu=x86-64-v3 -L native=$root/lib"
# The driver's own library comes with a GPU: an empty one stands in for it at the last link.
echo | cc -shared -x c - -o "$root/lib/libcuda.so" -Wl,-soname,libcuda.so.1
cargo rustc --release --locked --features cuda --bin saseo -- \
    -C link-arg=-Wl,--unresolved-symbols=ignore-all
echo "The CUDA build compiles. It was not run: that takes a GPU."
