"""Run and watch revokable decoding (WINO) of masked-diffusion language models."""
