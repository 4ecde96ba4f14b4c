<?php

namespace HookBridge;

use WHMCS\Database\Capsule;

/**
 * The add-on's own tables. Making them again changes nothing.
 */
class Schema
{
    const OUTBOX = 'mod_hookbridge_outbox';
    const STATE = 'mod_hookbridge_state';

    /** Make what is missing. Raises what the database raises. */
    public static function create()
    {
        $schema = Capsule::schema();
        if (!$schema->hasTable(self::OUTBOX)) {
            $schema->create(self::OUTBOX, function ($table) {
                $table->engine = 'InnoDB';
                $table->bigIncrements('seq');
                $table->string('id', 64)->unique();
                $table->string('hookpoint', 64);
                $table->mediumText('body');
                // waiting, aside (it alone fails), parked (it will never be taken so), sent (the last one)
                $table->string('state', 8)->default('waiting');
                $table->unsignedInteger('created_at');
                $table->unsignedInteger('due_at')->default(0);
                $table->unsignedInteger('tries')->default(0);
                $table->unsignedInteger('strikes')->default(0);
                $table->unsignedSmallInteger('status')->default(0);
                $table->string('error', 255)->default('');
                $table->index(['state', 'seq']);
                $table->index('created_at');
            });
        }
        if (!$schema->hasTable(self::STATE)) {
            $schema->create(self::STATE, function ($table) {
                $table->engine = 'InnoDB';
                $table->string('name', 64)->primary();
                $table->mediumText('value');
                $table->unsignedInteger('updated_at')->default(0);
            });
        }
        Transfer::createTable();
    }

    /** Remove the tables with all that is in them. */
    public static function drop()
    {
        Capsule::schema()->dropIfExists(self::OUTBOX);
        Capsule::schema()->dropIfExists(self::STATE);
        Capsule::schema()->dropIfExists(Transfer::TABLE);
    }
}
