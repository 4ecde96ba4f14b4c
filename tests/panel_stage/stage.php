<?php
/**
 * The functions and classes of the panel that an add-on may call.
 */

namespace {
    require_once 'Illuminate/Database/autoload.php';

    /** The hooks that are registered, and what the page was asked to be. */
    class Stage
    {
        /** @var array hookpoint => list of [priority, callback] */
        public static $hooks = [];
        /** @var array what CurrentUser says: admin, masquerading, user, client */
        public static $login = ['admin' => false, 'masquerading' => false, 'user' => false, 'client' => 0];
        public static $logged = false;

        public static function open()
        {
            $given = json_decode((string) getenv('STAGE_DATABASE'), true);
            $capsule = new \Illuminate\Database\Capsule\Manager();
            $capsule->addConnection($given + [
                'driver' => 'mysql',
                'charset' => getenv('STAGE_CHARSET') ?: 'utf8',
                'prefix' => '',
                'strict' => false,
            ]);
            $capsule->setAsGlobal();
            $active = \WHMCS\Database\Capsule::table('tblconfiguration')
                ->where('setting', 'ActiveAddonModules')->value('value');
            self::$logged = \WHMCS\Database\Capsule::table('tblconfiguration')
                ->where('setting', 'ModuleDebugMode')->value('value') === 'on';
            foreach (array_filter(explode(',', (string) $active)) as $module) {
                $file = __DIR__ . '/modules/addons/' . $module . '/hooks.php';
                if (is_file($file)) {
                    require_once $file;
                }
            }
        }

        /** Fire a list of [hookpoint, variables, times]; return answers, how long each took, and memory. */
        public static function play(array $list)
        {
            $told = ['answers' => [], 'spent' => []];
            foreach ($list as $one) {
                $arguments = isset($one[1]['*']) ? array_map('stage_value', $one[1]['*']) : [stage_value($one[1])];
                for ($turn = 0; $turn < (isset($one[2]) ? $one[2] : 1); $turn++) {
                    $began = microtime(true);
                    $told['answers'][] = self::fire($one[0], $arguments);
                    $told['spent'][] = microtime(true) - $began;
                }
            }
            return $told;
        }

        /** Fire a hookpoint; return what its callbacks answered, null left out. */
        public static function fire($hookpoint, array $arguments)
        {
            $registered = isset(self::$hooks[$hookpoint]) ? self::$hooks[$hookpoint] : [];
            usort($registered, function ($one, $other) {
                return $one[0] - $other[0];
            });
            $answers = [];
            foreach ($registered as $entry) {
                $answer = call_user_func_array($entry[1], $arguments);
                if ($answer !== null) {
                    $answers[] = $answer;
                }
            }
            return $answers;
        }
    }

    /** Played hooks, for the pages of the stage. */
    function stage_value($value)
    {
        if (!is_array($value)) {
            return $value;
        }
        if (array_keys($value) === ['object']) {
            return new \WHMCS\Billing\Invoice($value['object']);
        }
        if (array_keys($value) === ['bytes']) {
            return (string) hex2bin($value['bytes']);
        }
        return array_map('stage_value', $value);
    }

    function add_hook($hookPoint, $priority, $function)
    {
        Stage::$hooks[$hookPoint][] = [$priority, $function];
    }

    function run_hook($hookPoint, $vars)
    {
        return Stage::fire($hookPoint, [$vars]);
    }

    function logActivity($message, $userId = 0)
    {
        \WHMCS\Database\Capsule::table('tblactivitylog')->insert(
            ['date' => date('Y-m-d H:i:s'), 'description' => $message, 'user' => 'System', 'userid' => $userId]
        );
        $told = ['description' => $message, 'user' => 'System', 'userid' => $userId, 'ipaddress' => '127.0.0.1'];
        Stage::fire('LogActivity', [$told]);
    }

    function logModuleCall($module, $action, $request, $response, $data = '', $replace = [])
    {
        if (!Stage::$logged) {
            return;
        }
        $plain = function ($value) use ($replace) {
            $text = is_scalar($value) ? (string) $value : print_r($value, true);
            return str_replace($replace, '****', $text);
        };
        \WHMCS\Database\Capsule::table('tblmodulelog')->insert([
            'date' => date('Y-m-d H:i:s'),
            'module' => $module,
            'action' => $action,
            'request' => $plain($request),
            'response' => $plain($response),
            'arrdata' => $plain($data),
        ]);
    }

    function localAPI($command, $values = [], $admin = '')
    {
        $file = __DIR__ . '/api/' . strtolower(basename($command)) . '.php';
        if (is_file($file)) {
            $answer = require $file;
            return $answer($values);
        }
        return ['result' => 'error', 'message' => 'Command Not Found'];
    }

    function generate_token($type = 'form')
    {
        return $type === 'form' ? '<input type="hidden" name="token" value="stage" />' : 'stage';
    }

    function check_token($namespace = '')
    {
        if (!isset($_POST['token']) || $_POST['token'] !== 'stage') {
            exit('Invalid Token');
        }
    }
}

namespace WHMCS\Database {
    class Capsule extends \Illuminate\Database\Capsule\Manager
    {
    }
}

namespace WHMCS\Authentication {
    class CurrentUser
    {
        public function isAuthenticatedAdmin()
        {
            return \Stage::$login['admin'];
        }

        public function isMasqueradingAdmin()
        {
            return \Stage::$login['masquerading'];
        }

        public function isAuthenticatedUser()
        {
            return \Stage::$login['user'];
        }

        public function client()
        {
            return \Stage::$login['client'] ? (object) ['id' => \Stage::$login['client']] : null;
        }
    }
}

namespace WHMCS\Billing {
    /** A model as hooks hand it over: everything about it can be read. */
    class Invoice implements \JsonSerializable
    {
        public $secret;

        public function __construct($secret)
        {
            $this->secret = $secret;
        }

        public function __toString()
        {
            return $this->secret;
        }

        #[\ReturnTypeWillChange]
        public function jsonSerialize()
        {
            return ['secret' => $this->secret];
        }
    }
}

namespace HookBridge {
    /** The clock of the stage: the add-on's own calls of time() and date() end up here. */
    function time()
    {
        return isset($GLOBALS['stageClock']) ? (int) $GLOBALS['stageClock'] : \time();
    }

    function date($format, $timestamp = null)
    {
        return \date($format, $timestamp === null ? time() : $timestamp);
    }
}

namespace HookBridge {
    /** The add-on keeps quiet whatever PHP says; the stage writes it down. */
    function set_error_handler($handler)
    {
        return \set_error_handler(function (...$told) use ($handler) {
            file_put_contents(__DIR__ . '/complaints.log', $told[1] . ' in ' . $told[2] . ':' . $told[3] . "\n", FILE_APPEND);
            return $handler(...$told);
        });
    }
}
