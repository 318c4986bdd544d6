//! Two threads exchange an array: one fills it, the other reads the same memory.
//!
//! `cargo run --example hello`

use crossbuf::array::{Index, Order};
use crossbuf::{Arena, ArrayMeta, Budget, channel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arena = Arena::new(Budget::bytes(64 << 20))?;
    let (sender, receiver) = channel(Some(16));

    let reader = std::thread::spawn(move || {
        for message in &receiver {
            let array = message.array().expect("the writer sends arrays");
            let column = array.slice(&[Index::Ellipsis, Index::At(-1)]).expect("the array has a last column");
            println!("received {:?} at {:#x}, last column at {:#x}", array.meta().shape(), array.address(), column.address());
        }
    });

    let mut draft = arena.draft(ArrayMeta::contiguous("<f4".parse()?, &[1000, 1000], Order::C)?)?;
    draft.as_mut_slice::<f32>()?.fill(1.0);
    let array = draft.freeze();
    println!("sending  {:?} at {:#x}", array.meta().shape(), array.address());
    sender.send(array)?;
    drop(sender);

    reader.join().expect("the reader does not panic");
    println!("{:?}", arena.statistics());
    Ok(())
}
