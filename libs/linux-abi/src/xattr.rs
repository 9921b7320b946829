//! Extended attributes: flags of `setxattr(2)`, name spaces.

/// Fail if the attribute exists.
pub const XATTR_CREATE: u32 = 1;
/// Fail if the attribute does not exist.
pub const XATTR_REPLACE: u32 = 2;

/// Prefix of attributes that users set.
pub const XATTR_USER_PREFIX: &[u8] = b"user.";
/// Prefix of attributes that only a privileged process sees.
pub const XATTR_TRUSTED_PREFIX: &[u8] = b"trusted.";
/// Prefix of attributes of security modules.
pub const XATTR_SECURITY_PREFIX: &[u8] = b"security.";
/// Prefix of attributes with a meaning to the kernel.
pub const XATTR_SYSTEM_PREFIX: &[u8] = b"system.";
