//! The whole kernel on the simulated machine: boot, unpack the initial file system, run `/init`, fork, wait, power off.

mod scenario;

#[test]
fn one_cpu_boots_forks_and_powers_off() {
    scenario::boots_forks_and_powers_off(1);
}
