"""Training the embedded models: tokenizer, masked-diffusion pretraining."""
