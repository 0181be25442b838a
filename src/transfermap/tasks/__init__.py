"""The task as data: source, target, label; read from files, tables, folders of images or sentences."""
