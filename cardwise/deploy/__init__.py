"""A layout as commands: the one that serves it and the one that checks the prediction on the real machine. Pure text; nothing is run."""
