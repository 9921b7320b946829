//! `syslog(2)`: the kernel log.

consts! { i32;
    SYSLOG_ACTION_CLOSE = 0, "Does nothing.";
    SYSLOG_ACTION_OPEN = 1, "Does nothing.";
    SYSLOG_ACTION_READ = 2, "Takes records out, waiting for one.";
    SYSLOG_ACTION_READ_ALL = 3, "Copies the last records.";
    SYSLOG_ACTION_READ_CLEAR = 4, "Copies the last records and clears.";
    SYSLOG_ACTION_CLEAR = 5, "Clears.";
    SYSLOG_ACTION_CONSOLE_OFF = 6, "Keeps records from the console.";
    SYSLOG_ACTION_CONSOLE_ON = 7, "Lets records to the console again.";
    SYSLOG_ACTION_CONSOLE_LEVEL = 8, "Sets the console level, 1 to 8.";
    SYSLOG_ACTION_SIZE_UNREAD = 9, "Returns the bytes not read.";
    SYSLOG_ACTION_SIZE_BUFFER = 10, "Returns the size of the log.";
}

consts! { u8;
    LOG_EMERG = 0, "Level: the system is unusable.";
    LOG_ALERT = 1, "Level: act at once.";
    LOG_CRIT = 2, "Level: critical.";
    LOG_ERR = 3, "Level: error.";
    LOG_WARNING = 4, "Level: warning.";
    LOG_NOTICE = 5, "Level: normal, but significant.";
    LOG_INFO = 6, "Level: information.";
    LOG_DEBUG = 7, "Level: debugging.";
}
