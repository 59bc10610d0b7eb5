#!/bin/bash
# nginx with a file of 100 bytes that is in memory (static), or with 32,768 files of 16 KiB that it
# reads in a pool (threads) or on the thread of its loop (loop).
# nginx.sh make FOLDER: makes these files, of FOLDER/blocks.bin
# nginx.sh FOLDER PORT static|threads|loop
set -e
if [ "$1" = make ]; then
    mkdir -p "$2/nginx/cold"
    cd "$2/nginx/cold"
    split --bytes=16K --numeric-suffixes --suffix-length=5 ../../blocks.bin ""
    sync -f .
    exit
fi
folder=$1/nginx port=$2
case $3 in
static) how="root $folder/www; sendfile on; open_file_cache max=1000;" ;;
threads) how="root $folder/cold; sendfile off; output_buffers 1 32k; aio threads;" ;;
loop) how="root $folder/cold; sendfile off; output_buffers 1 32k; aio off;" ;;
*) echo "unknown form $3" >&2; exit 2 ;;
esac
mkdir -p "$folder/www"
head -c 100 /dev/zero | tr '\0' x > "$folder/www/fixed"
cat > "$folder/$port.conf" <<E
daemon off; worker_processes 1; pid $folder/$port.pid; error_log stderr; user root;
events { worker_connections 4096; }
http {
    access_log off; $how
    keepalive_requests 1000000000; keepalive_timeout 60;
    client_body_temp_path $folder/b; proxy_temp_path $folder/p; fastcgi_temp_path $folder/f;
    uwsgi_temp_path $folder/u; scgi_temp_path $folder/s;
    server { listen 127.0.0.1:$port backlog=1024; }
}
E
exec nginx -c "$folder/$port.conf" -e stderr
