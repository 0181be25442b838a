"""From files, frames and arrays to typed columns: delimiters, numerals, dates, spellings, labels."""
