#!/bin/bash
# nginx with a file of 100 bytes that is in memory.
# nginx.sh FOLDER PORT
set -e
folder=$1/nginx port=$2
mkdir -p "$folder/www"
head -c 100 /dev/zero | tr '\0' x > "$folder/www/fixed"
cat > "$folder/$port.conf" <<X
daemon off; worker_processes 1; pid $folder/$port.pid; error_log stderr; user root;
events { worker_connections 4096; }
http {
    access_log off; sendfile on; open_file_cache max=1000;
    keepalive_requests 1000000000; keepalive_timeout 60;
    client_body_temp_path $folder/b; proxy_temp_path $folder/p; fastcgi_temp_path $folder/f;
    uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
    server { listen 127.0.0.1:$port backlog=1024; root $folder/www; }
}
X
exec nginx -c "$folder/$port.conf" -e stderr
