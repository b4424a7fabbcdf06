from netdyn.cli import main

main()
