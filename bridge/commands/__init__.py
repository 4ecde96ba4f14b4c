"""The commands, a module for each family; imported when one is called."""
