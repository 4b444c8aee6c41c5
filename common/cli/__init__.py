"""What the command lines of this project share: errors in words, tables, progress bars."""
