"""Our tuner beside Helion's: the cases, one search a process, and the timing of what they found side by side."""
