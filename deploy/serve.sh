#!/bin/sh
# `saseo serve` under something that restarts whatever ends, as Docker does.
#
# Exit code 78 means that the messenger does not let saseo in until a person has looked, and 2
# that the settings have a slip; every start in vain may count against the token. Docker cannot
# be told to leave some exit codes alone, so here the container stays up and does nothing, and
# its health check says so.
held=${SASEO_HELD:-/tmp/saseo-held}
child=
stopping=
trap 'stopping=1; [ -z "$child" ] || kill -TERM "$child"' TERM INT
rm -f "$held"
[ -z "$stopping" ] || exit 0
saseo serve "$@" &
child=$!
# A signal ends `wait` before the child has ended.
while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
done
[ -z "$stopping" ] || exit "$code"
case $code in
    2 | 78) ;;
    *) exit "$code" ;;
esac
echo "held: mend what is said above, then start the container again" >&2
: >"$held"
trap 'exit "$code"' TERM INT
while :; do
    sleep 3600 &
    wait $!
done
