"""A cable between a server and its clients that can be cut and slowed, for servers that know no faults: Postgres."""
