"""Plans of images and video: the question, ways to run it, options, memory, costs, the verdict."""
