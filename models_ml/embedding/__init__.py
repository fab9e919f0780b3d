"""What leads are about, as vectors: near texts have near vectors."""
