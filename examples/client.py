"""Watches the camera of examples/service.rs: frames without a copy, answers back.

python examples/client.py [name]
"""

import sys

import crossbuf as cb


def main() -> None:
    camera = cb.connect(sys.argv[1] if len(sys.argv) > 1 else "camera")
    background = camera.array("background").numpy()
    frames = 0
    with camera.sender("answers") as answers:
        for frame in camera.receiver("frames"):  # ends when the service does
            answers.send(float((frame.numpy() - background).mean()))
            frames += 1
    print(f"{frames} frames of {background.shape} from {camera}")


if __name__ == "__main__":
    main()
