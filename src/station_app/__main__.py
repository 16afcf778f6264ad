from __future__ import annotations

from station_app.cli import main

if __name__ == "__main__":
    main()
