"""Pictures: plain data in, a picture out. Nothing here talks to a broker."""
