"""The shelf agent: camera frames in, trustworthy shelf counts out. Start reading at `edge_agent.pipeline`."""
