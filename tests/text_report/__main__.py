"""`make text-report`: how true the text of real PDFs is, as a table; fails below the bars."""

import sys

from tests.text_report.run import main

sys.exit(main(sys.argv[1:]))
