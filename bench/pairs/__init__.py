"""Compare routing with that of another commit, in alternated pairs."""
