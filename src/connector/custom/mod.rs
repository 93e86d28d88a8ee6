//! Readers in code, for what the vocabulary of manifests cannot say.

pub(super) mod csv;
mod rest;
mod sftp;
mod table;
