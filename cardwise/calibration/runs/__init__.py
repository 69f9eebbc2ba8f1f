"""Measured runs of images and video: cases, set-ups, predictions, the fit of their constants, intervals and the page about them."""
