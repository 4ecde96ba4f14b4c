<?php
/**
 * The move of a service to another client: checked and carried out in one transaction.
 *
 * The bridge has checked everything before; here it is checked again on locked rows,
 * because between its look and the move the panel goes on living. The id of the
 * request is kept with the move in the same transaction: it moves nothing twice.
 */

namespace HookBridge;

use WHMCS\Database\Capsule;

class Transfer
{
    const TABLE = 'mod_hookbridge_transfers';
    /** Seconds that a locked row is waited for before the answer is "busy". */
    const PATIENCE = 5;
    /** What MySQL says of a row that somebody else holds, or of no connection. */
    const BUSY = [1040, 1203, 1205, 1206, 1213, 2002, 2006, 2013];
    const DUPLICATE = 1062;

    /** @var Conditions */
    private $conditions;

    public function __construct(Conditions $conditions)
    {
        $this->conditions = $conditions;
    }

    /** Make the table of moves unless it is there. Not inside a transaction. */
    public static function createTable()
    {
        $schema = Capsule::schema();
        if ($schema->hasTable(self::TABLE)) {
            return;
        }
        $schema->create(self::TABLE, function ($table) {
            $table->engine = 'InnoDB';
            // Of the id, which is case-sensitive whatever the table's collation.
            $table->char('id_hash', 64)->primary();
            $table->string('webhook_id', 256);
            $table->char('body_hash', 64);
            $table->integer('service_id')->index();
            $table->integer('from_client_id');
            $table->integer('to_client_id');
            $table->text('changed');
            $table->dateTime('moved_at');
        });
    }

    /** Return the newest moves; none when nothing was ever moved. */
    public static function latest($limit)
    {
        if (!Capsule::schema()->hasTable(self::TABLE)) {
            return [];
        }
        return Capsule::table(self::TABLE)->orderBy('moved_at', 'desc')->orderBy('id_hash')
            ->limit($limit)->get()->all();
    }

    /**
     * Return what is asked for, or the field that is wrong.
     *
     * @return array{0: array|null, 1: string} the ids; a sentence when null
     */
    public static function read($body)
    {
        $given = json_decode($body, true, 8);
        if (!is_array($given)) {
            return [null, 'The body is not a JSON object.'];
        }
        if (!isset($given['type']) || $given['type'] !== 'transfer') {
            return [null, 'The field "type" is not "transfer".'];
        }
        $data = isset($given['data']) ? $given['data'] : null;
        if (!is_array($data)) {
            return [null, 'The field "data" is not an object.'];
        }
        $asked = [];
        foreach (['service_id', 'from_client_id', 'to_client_id'] as $name) {
            if (!isset($data[$name]) || !self::isId($data[$name])) {
                return [null, 'The field "data.' . $name . '" is not a number of a row.'];
            }
            $asked[$name] = $data[$name];
        }
        $asked['verified_field'] = null;
        if (isset($data['verified_field'])) {
            if (!self::isId($data['verified_field'])) {
                return [null, 'The field "data.verified_field" is not a number of a row.'];
            }
            $asked['verified_field'] = $data['verified_field'];
        }
        return [$asked, ''];
    }

    private static function isId($value)
    {
        return is_int($value) && $value > 0 && $value <= 2147483647;
    }

    /**
     * Move the service, once for each id.
     *
     * @return array{0: int, 1: array} the status and the answer
     */
    public function move($id, $body, array $asked)
    {
        try {
            self::createTable();
            $this->refuseUnlockable();
            Capsule::connection()->statement(
                'SET SESSION innodb_lock_wait_timeout = ' . self::PATIENCE
            );
            return $this->inTransaction($id, $body, $asked);
        } catch (Refusal $refusal) {
            return self::refused($id, $refusal);
        } catch (\Throwable $error) {
            if (self::isBusy($error)) {
                return [503, self::told($id, 'busy', 'The panel is busy; nothing was changed.')];
            }
            Log::activity('a transfer failed (' . get_class($error) . ' ' . self::code($error) . ').');
            return [500, self::told($id, 'failed', 'The panel failed; nothing was changed.')];
        }
    }

    private function inTransaction($id, $body, array $asked)
    {
        $database = Capsule::connection();
        $has = $this->columns();
        $database->beginTransaction();
        try {
            $before = $this->claim($id, $body, $asked);
            if ($before !== null) {
                $database->rollBack();
                return [200, ['transfer' => $id, 'status' => 'already', 'changed' => $before]];
            }
            $changed = $this->checkAndChange($asked, $has);
            Capsule::table(self::TABLE)->where('id_hash', hash('sha256', $id))->update(
                ['changed' => json_encode($changed)]
            );
            $database->commit();
        } catch (\Throwable $error) {
            self::abandon($database);
            throw $error;
        }
        $this->note($asked, $changed);
        return [200, ['transfer' => $id, 'status' => 'moved', 'changed' => $changed]];
    }

    /** Undo; a connection that broke has undone it by itself. */
    private static function abandon($database)
    {
        try {
            $database->rollBack();
        } catch (\Throwable $ignored) {
            return;
        }
    }

    /**
     * Take the id for this transaction, or return what it changed before.
     *
     * A second call with the same id waits at this row until the first has ended.
     */
    private function claim($id, $body, array $asked)
    {
        $row = [
            'id_hash' => hash('sha256', $id),
            'webhook_id' => $id,
            'body_hash' => hash('sha256', $body),
            'service_id' => $asked['service_id'],
            'from_client_id' => $asked['from_client_id'],
            'to_client_id' => $asked['to_client_id'],
            'changed' => '{}',
            'moved_at' => gmdate('Y-m-d H:i:s'),
        ];
        try {
            Capsule::table(self::TABLE)->insert($row);
            return null;
        } catch (\Illuminate\Database\QueryException $error) {
            if (self::code($error) !== self::DUPLICATE) {
                throw $error;
            }
        }
        $kept = Capsule::table(self::TABLE)->where('id_hash', $row['id_hash'])
            ->sharedLock()->first();
        if ($kept === null) {
            throw new \RuntimeException('the move that held this id has gone');
        }
        if ($kept->body_hash !== $row['body_hash']) {
            throw new Refusal('other_body', 'This id was used for another transfer.');
        }
        return json_decode($kept->changed, true);
    }

    private function checkAndChange(array $asked, array $has)
    {
        // Service first, then the clients by number: always in this order, so that
        // two moves wait for one another and do not block each other.
        $service = Capsule::table('tblhosting')->where('id', $asked['service_id'])
            ->lockForUpdate()->first(['id', 'userid', 'domainstatus']);
        $addons = Capsule::table('tblhostingaddons')->where('hostingid', $asked['service_id'])
            ->orderBy('id')->lockForUpdate()->pluck('id')->all();
        $addons = array_map('intval', $addons);
        $both = [$asked['from_client_id'], $asked['to_client_id']];
        $clients = Capsule::table('tblclients')->whereIn('id', $both)->orderBy('id')
            ->lockForUpdate()->get(['id', 'email', 'currency', 'status'])->keyBy('id')->all();
        $this->conditions->checkClients($asked, $clients);
        $this->conditions->checkService($asked, $service, $addons);
        return $this->change($asked, $addons, $has);
    }

    /** Change the owner; what the old owner's gateway would go on paying is cut off. */
    private function change(array $asked, array $addons, array $has)
    {
        $service = $asked['service_id'];
        $to = $asked['to_client_id'];
        $changed = ['service' => $service, 'from' => $asked['from_client_id'], 'to' => $to];
        $moved = Capsule::table('tblhosting')->where('id', $service)
            ->where('userid', $asked['from_client_id'])->update(['userid' => $to]);
        if ($moved !== 1) {
            throw new \RuntimeException('the service row did not change');
        }
        $changed['addons'] = $addons;
        if ($addons !== [] && $has['addon_owner']) {
            Capsule::table('tblhostingaddons')->whereIn('id', $addons)
                ->update(['userid' => $to]);
        }
        $changed['subscriptions'] = [];
        foreach (['tblhosting' => [$service], 'tblhostingaddons' => $addons] as $table => $ids) {
            if (!$has[$table . '_subscription'] || $ids === []) {
                continue;
            }
            $rows = Capsule::table($table)->whereIn('id', $ids)
                ->where('subscriptionid', '<>', '');
            foreach ($rows->pluck('id') as $row) {
                $kind = $table === 'tblhosting' ? 'service:' : 'addon:';
                $changed['subscriptions'][] = $kind . (int) $row;
            }
            $rows->update(['subscriptionid' => '']);
        }
        $changed['certificates'] = [];
        if ($has['certificates']) {
            $rows = Capsule::table('tblsslorders')->where('serviceid', $service)
                ->where('userid', $asked['from_client_id']);
            $changed['certificates'] = array_map('intval', $rows->pluck('id')->all());
            $rows->update(['userid' => $to]);
        }
        return $changed;
    }

    /** Look which of the columns this version of the panel has. */
    private function columns()
    {
        $schema = Capsule::schema();
        return [
            'addon_owner' => $schema->hasColumn('tblhostingaddons', 'userid'),
            'tblhosting_subscription' => $schema->hasColumn('tblhosting', 'subscriptionid'),
            'tblhostingaddons_subscription' =>
                $schema->hasColumn('tblhostingaddons', 'subscriptionid'),
            'certificates' => $schema->hasTable('tblsslorders')
                && $schema->hasColumn('tblsslorders', 'userid'),
        ];
    }

    /** A table without transactions could be left half changed. */
    private function refuseUnlockable()
    {
        $tables = ['tblhosting', 'tblhostingaddons', 'tblclients', self::TABLE];
        $marks = implode(', ', array_fill(0, count($tables), '?'));
        $rows = Capsule::connection()->select(
            'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA'
                . ' = DATABASE() AND TABLE_NAME IN (' . $marks . ") AND ENGINE <> 'InnoDB'",
            $tables
        );
        if ($rows !== []) {
            throw new Refusal(
                'no_transactions',
                'Table ' . $rows[0]->name . ' has no transactions: staff must move it by hand.'
            );
        }
    }

    /** Tell both clients' logs. The move is done: a failure here changes nothing. */
    private function note(array $asked, array $changed)
    {
        $text = 'Hook bridge: service ' . $asked['service_id'] . ' moved from client '
            . $asked['from_client_id'] . ' to client ' . $asked['to_client_id'];
        if ($changed['subscriptions'] !== []) {
            $text .= '; the old owner\'s payment subscription was taken off ('
                . implode(', ', $changed['subscriptions'])
                . '): cancel it at the payment gateway';
        }
        foreach (['from_client_id', 'to_client_id'] as $which) {
            try {
                logActivity($text . '.', $asked[$which]);
            } catch (\Throwable $error) {
                return;
            }
        }
    }

    private static function refused($id, Refusal $refusal)
    {
        $answer = self::told($id, 'refused', $refusal->getMessage());
        return [409, $answer + ['code' => $refusal->reason()]];
    }

    private static function told($id, $status, $reason)
    {
        return ['transfer' => $id, 'status' => $status, 'reason' => $reason];
    }

    private static function isBusy($error)
    {
        return in_array(self::code($error), self::BUSY, true);
    }

    private static function code($error)
    {
        while ($error !== null) {
            if ($error instanceof \PDOException && isset($error->errorInfo[1])) {
                return (int) $error->errorInfo[1];
            }
            if ($error instanceof \PDOException && is_int($error->getCode())) {
                return $error->getCode();
            }
            $error = $error->getPrevious();
        }
        return 0;
    }
}
