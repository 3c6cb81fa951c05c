"""What happened: the frames between client and broker, the routing inside the broker, and the story of both."""
