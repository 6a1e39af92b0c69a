"""One function per resource: parse, ask the domain, answer."""
