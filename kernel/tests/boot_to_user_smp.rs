//! As `boot_to_user`, on four CPUs.

mod scenario;

#[test]
fn four_cpus_boot_fork_and_power_off() {
    scenario::boots_forks_and_powers_off(4);
}
