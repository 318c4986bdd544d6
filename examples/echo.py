"""How many times a second a message goes to another interpreter and back.

    python examples/echo.py [messages]

With queues of the standard library the answer is about 60, whatever the machine, as either side looks every 10 ms.
"""

import sys
from timeit import timeit

import crossbuf as cb


def echo(inbox: cb.Receiver, outbox: cb.Sender) -> None:
    for message in inbox:
        outbox.put(message)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    (there, inbox), (outbox, back) = cb.channel(), cb.channel()  # instead of two calls of interpreters.create_queue
    worker = cb.spawn(echo, inbox, outbox)
    there.put(None), back.get()
    rate = number / timeit(lambda: (there.put(None), back.get()), number=number)
    there.close()
    worker.join()
    print(f"{number} messages there and back, {rate:,.0f} a second")


if __name__ == "__main__":
    main()
