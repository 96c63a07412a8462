"""TFLite files as data: read, checked, mended and described; nothing here runs one."""
