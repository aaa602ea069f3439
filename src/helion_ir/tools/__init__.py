"""The commands: helion-ir-opt, and helion-ir."""
