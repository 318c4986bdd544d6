"""How many times a second a message goes to another interpreter and back.

    python examples/echo.py [messages]

A program for CPython 3.14 and its queues but for the line that makes two channels instead. With queues the answer is about 60,
whatever the machine, as either side looks every 10 ms.
"""

import sys
from concurrent import interpreters
from timeit import timeit

import crossbuf


def echo(inbox, outbox):
    while (message := inbox.get()) != "stop":
        outbox.put(message)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    # instead of: (there, inbox), (outbox, back) = ([interpreters.create_queue()] * 2 for _ in range(2))
    (there, inbox), (outbox, back) = (crossbuf.channel() for _ in range(2))
    worker = interpreters.create().call_in_thread(echo, inbox, outbox)
    there.put(None), back.get()
    rate = number / timeit(lambda: (there.put(None), back.get()), number=number)
    there.put("stop")
    worker.join()
    print(f"{number} messages there and back, {rate:,.0f} a second")


if __name__ == "__main__":
    main()
