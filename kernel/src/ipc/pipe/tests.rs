//! Tests of pipes that need no second thread.
