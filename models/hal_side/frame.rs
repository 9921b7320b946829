//! Which frames are taken, and their handles.

#[path = "../../hal/src/frame/handles.rs"]
mod handles;
#[path = "../../hal/src/frame/table.rs"]
mod table;

#[path = "../checks/frames.rs"]
mod checks;
