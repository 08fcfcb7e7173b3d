"""What stands between visitors and Gradio: which requests come in, and what of the answers goes out."""
