"""
What the simulator itself costs: `station simulate` against a bare broker that welcomes every device.

Prints the share of a core that the simulator's own process takes, start and farewell included; the broker's and the
welcome's aren't in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import aiomqtt

from tests.servers.mosquitto import Mosquitto


async def welcome(client: aiomqtt.Client) -> None:
    async for message in client.messages:
        await client.publish(f"{message.topic}/ack", b'{"status":"ok"}')


async def simulate(devices: int, rate: float, seconds: float) -> None:
    async with Mosquitto() as broker, aiomqtt.Client(broker.host, broker.port) as client, asyncio.TaskGroup() as group:
        await client.subscribe("station/+/device/+/handshake")
        welcoming = group.create_task(welcome(client))
        options = {"--url": broker.url, "--devices": devices, "--rate": rate, "--seconds": seconds}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "station_app", "simulate", "--json", "--quiet"),
            *(f"{name}={value}" for name, value in options.items()),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
            welcoming.cancel()
    told = json.loads(out)
    share = told["cpuSeconds"] / told["seconds"]
    each = told["cpuSeconds"] / told["sentTotal"] * 1e6
    print(
        f"{told['joined']} of {devices} devices at {rate:g} reports a second: {share:.0%} of a core, "
        f"{told['sentTotal'] / told['seconds']:.0f} messages a second at QoS 1, {each:.0f} µs of CPU each"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--devices", type=int, default=500)
    arguments.add_argument("--rate", type=float, default=1.0)
    arguments.add_argument("--seconds", type=float, default=20.0)
    options = arguments.parse_args()
    asyncio.run(simulate(options.devices, options.rate, options.seconds))


if __name__ == "__main__":
    main()
