"""A policy's preference pairs in other projects' formats: one file a format, each a pure function to texts of files."""
