//! A camera that any program of the same user may watch, in Rust or in Python, and a sink for what they make of its frames.
//!
//! `cargo run --example service [frames [name]]`, and beside it `python examples/client.py [name]`

use crossbuf::array::Order;
use crossbuf::{Arena, ArrayMeta, Budget, process};

const HEIGHT: usize = 480;
const WIDTH: usize = 640;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let frames: u32 = arguments.next().map_or(Ok(100), |number| number.parse())?;
    let name = arguments.next().unwrap_or_else(|| "camera".to_owned());

    let arena = Arena::new(Budget::bytes(256 << 20))?;
    let service = process::publish(&name, &arena)?;
    let images = service.channel("frames", 8)?;
    let answers = service.channel("answers", None)?;
    let meta = ArrayMeta::contiguous("<f4".parse()?, &[HEIGHT, WIDTH], Order::C)?;
    service.share("background", &arena.share(meta.clone(), &vec![0; meta.nbytes()])?)?;
    println!("published {name:?}; waiting for a client");

    for number in 0..frames {
        let mut frame = arena.draft(meta.clone())?;
        frame.as_mut_slice::<f32>()?.fill(number as f32);
        images.send(frame.freeze())?; // waits while 8 of them wait
        while let Ok(answer) = answers.receiver.try_recv() {
            report(answer)?;
        }
    }
    drop(images); // and the one that the service keeps:
    service.close(); // clients get what is left, and then their loops end

    drop(answers.sender);
    for answer in &answers.receiver {
        report(answer)?;
    }
    println!("{:?}", arena.statistics());
    Ok(())
}

fn report(answer: crossbuf::channel::Message) -> Result<(), Box<dyn std::error::Error>> {
    match answer.value()?.as_f64() {
        Some(mean) if mean as u32 % 50 == 49 => println!("a client says that the mean of a frame is {mean}"),
        _ => {}
    }
    Ok(())
}
