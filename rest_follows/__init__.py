"""The guide: a looping interview on top of `copier copy`, and what is made of an answers file without it."""
