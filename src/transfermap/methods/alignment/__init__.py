"""Distribution alignment: a common map under which the two distributions agree."""
