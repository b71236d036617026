"""What the tests over HTTP and the crash tests share: real binaries in temporary folders, tokens, and a client that checks each answer."""
