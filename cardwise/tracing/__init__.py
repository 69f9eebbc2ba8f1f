"""Networks written down as they run: any class of diffusers or transformers, built without weights on torch's meta device."""
