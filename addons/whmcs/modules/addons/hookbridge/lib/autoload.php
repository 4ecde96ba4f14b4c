<?php
/**
 * Loads the add-on's classes: HookBridge\Name is lib/Name.php. No composer.
 */

if (!function_exists('hookbridge_autoload')) {
    function hookbridge_autoload($class)
    {
        if (strncmp($class, 'HookBridge\\', 11) !== 0) {
            return;
        }
        $name = substr($class, 11);
        if (preg_match('/\A[A-Za-z]+\z/', $name) && is_file(__DIR__ . '/' . $name . '.php')) {
            require_once __DIR__ . '/' . $name . '.php';
        }
    }

    spl_autoload_register('hookbridge_autoload');
}
