from serve_apps.cli import main

main()
