#!/bin/bash
# Debian's Apache with a file of 100 bytes and connections that are kept.
# apache.sh FOLDER PORT worker|event
set -e
folder=$1/apache port=$2 form=$3 modules=/usr/lib/apache2/modules
mkdir -p "$folder/www"
head -c 100 /dev/zero | tr '\0' x > "$folder/www/fixed"
chmod -R a+rX "$folder"
cat > "$folder/$form-$port.conf" <<X
ServerRoot $folder
PidFile $folder/$form-$port.pid
DefaultRuntimeDir $folder
ErrorLog $folder/$form-$port.err
Listen 127.0.0.1:$port
ServerName 127.0.0.1
User www-data
Group www-data
LoadModule mpm_${form}_module $modules/mod_mpm_$form.so
LoadModule authz_core_module $modules/mod_authz_core.so
DocumentRoot $folder/www
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
StartServers 1
ServerLimit 1
ThreadLimit 256
ThreadsPerChild 256
MinSpareThreads 1
MaxSpareThreads 256
MaxRequestWorkers 256
X
# It sends signals to its process group.
exec setsid apache2 -DFOREGROUND -f "$folder/$form-$port.conf"
