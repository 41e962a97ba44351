"""Tasks for small masked diffusion models: each module generates problems, words them and checks answers."""
