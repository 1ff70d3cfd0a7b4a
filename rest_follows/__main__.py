from rest_follows.cli import main

main()
