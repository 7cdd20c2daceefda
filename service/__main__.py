"""`python -m service`, also installed as `arxiv-ingestion`."""

from service.cli.main import main

if __name__ == "__main__":
    main()
