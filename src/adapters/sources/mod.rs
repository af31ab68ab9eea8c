//! Where documents come from: files, folders, URLs.
