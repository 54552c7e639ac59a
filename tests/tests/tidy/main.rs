//! The habits of this repository that a machine can check: the shape of files, the layers, and that the
//! documents say what the code does.

mod dependencies;
mod documents;
mod layers;
mod limits;
mod repository;
mod shape;
mod trust;
